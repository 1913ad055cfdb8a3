"""The autoencoders, one file per variant. This list is the index of the room."""

from typing import Annotated

from pydantic import Field

from ae_cls.autoencoder.aae import AaeConfig
from ae_cls.autoencoder.backbone import BackboneConfig
from ae_cls.autoencoder.conditional_vae import ConditionalVaeConfig
from ae_cls.autoencoder.contractive import ContractiveConfig
from ae_cls.autoencoder.conv import ConvConfig
from ae_cls.autoencoder.deep import DeepConfig
from ae_cls.autoencoder.gmvae import GmVaeConfig
from ae_cls.autoencoder.hog import HogConfig
from ae_cls.autoencoder.kmeans import KmeansConfig
from ae_cls.autoencoder.lbp import LbpConfig
from ae_cls.autoencoder.mae import MaeConfig
from ae_cls.autoencoder.masked_conv import MaskedConvConfig
from ae_cls.autoencoder.pca import PcaConfig
from ae_cls.autoencoder.pixels import PixelsConfig
from ae_cls.autoencoder.rae import RaeConfig
from ae_cls.autoencoder.shallow import ShallowConfig
from ae_cls.autoencoder.sparse import SparseConfig
from ae_cls.autoencoder.textbook import TextbookConfig
from ae_cls.autoencoder.vae import VaeConfig
from ae_cls.autoencoder.vqvae import VqVaeConfig
from ae_cls.autoencoder.wae import WaeConfig

AutoencoderChoice = Annotated[
    PixelsConfig
    | PcaConfig
    | HogConfig
    | LbpConfig
    | KmeansConfig
    | ShallowConfig
    | SparseConfig
    | ContractiveConfig
    | DeepConfig
    | TextbookConfig
    | ConvConfig
    | BackboneConfig
    | VaeConfig
    | GmVaeConfig
    | ConditionalVaeConfig
    | VqVaeConfig
    | RaeConfig
    | WaeConfig
    | AaeConfig
    | MaeConfig
    | MaskedConvConfig,
    Field(discriminator="name"),
]
