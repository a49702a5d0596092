"""Write a result: choose an encoder, encode segments, and join them with the source's other streams."""
