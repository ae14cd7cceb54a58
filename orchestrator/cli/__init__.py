"""The command line: one verb a file. Nothing outside this package prints."""
