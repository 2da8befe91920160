"""Files in folders and buckets behind one interface: a batch's photos and outputs, a service's results."""
