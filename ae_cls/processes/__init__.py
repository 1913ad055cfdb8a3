"""Several processes that train one model. Nothing here knows what an autoencoder is.

`world` is the value that stages are given, `launch` reads it from the environment, `leader` and
`follower` are the two sides of a call, and meet at a `rendezvous`; `batch` and `norm` make a batch
that is spread over processes count as one, `training` averages their gradients.
"""
