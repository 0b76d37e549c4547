"""The pages on interviews: whom to ask, and what was said."""
