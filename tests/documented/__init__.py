"""The documentation as data: its pages, blocks of code and commands, and who runs these."""
