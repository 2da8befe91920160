"""packshot beside rembg: library, folder and server, in one run on one machine."""
