"""Same bits, safe files, no lost work: long runs that print a figure and its bar each."""
