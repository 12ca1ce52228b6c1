"""Protocol buffers, as far as kubectl needs them: typed request bodies in, the OpenAPI document out."""
