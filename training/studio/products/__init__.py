"""What the studio photographs. A builder makes one product, about a unit tall, round the z axis, as loose parts."""
