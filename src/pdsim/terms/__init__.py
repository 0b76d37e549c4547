"""Things that have a name, one record each: how it is computed, and how it is said."""
