"""What both sides of the wire agree on about RabbitMQ: names, arguments, addresses, messages, whose it is."""
