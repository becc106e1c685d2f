"""The nodes, one file each, named like its executable."""
