"""Several processes that train one model. Nothing here knows what an autoencoder is.

`world` is the value that stages are given, `launch` reads it from the environment, `together`
starts and connects the processes, `batch` and `norm` make a batch that is spread over them count as
one, `training` lets DistributedDataParallel average their gradients.
"""
