"""What several test modules share. images.py makes pictures and files, good, odd and bad; files.py writes them raw."""
