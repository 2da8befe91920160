"""The studio's products. A builder makes one product, about one unit tall, round the z axis, as loose parts."""
