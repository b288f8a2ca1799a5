"""Where logs lie, how far they were read, and the custody of what was pulled."""
