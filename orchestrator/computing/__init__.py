"""What one run does in its worker: train, write down, measure."""
