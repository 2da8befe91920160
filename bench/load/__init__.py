"""Load tests of the service: clients in separate processes, one and two replicas, up to four times the capacity."""
