"""What people read: words, tables and figures; a wing for each reader, and one for formats."""
