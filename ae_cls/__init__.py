"""Autoencoder pretraining and image classification, compared honestly."""
