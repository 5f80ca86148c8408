"""The desk page: what the person on shift, the quant and the operator keep open all day."""
