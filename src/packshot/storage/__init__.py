"""Files in folders and buckets, behind one interface: photos and outputs of a batch, results of a service."""
