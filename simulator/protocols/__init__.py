"""How it is said: both directions of each message. No I/O, no clock, no chance: bytes in, values out, and back."""
