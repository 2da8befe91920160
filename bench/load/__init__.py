"""What the service carries: clients in processes of their own, one and two replicas, up to four times its capacity."""
