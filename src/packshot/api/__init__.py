"""HTTP. The only room with vendors' names in it, each in a folder of its own."""
