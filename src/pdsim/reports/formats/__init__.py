"""A document, its numbers in words, and the formats it is written in."""
