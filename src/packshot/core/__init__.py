"""Pure image work: arrays in, arrays out. No files, network, clock, environment or logging."""
