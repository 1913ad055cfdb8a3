"""The classifier heads: one file a head. This list is the index of the room."""

from typing import Annotated

from pydantic import Field

from ae_cls.head.boosting import BoostingConfig
from ae_cls.head.clusters import ClustersConfig
from ae_cls.head.finetune import FinetuneConfig
from ae_cls.head.forest import ForestConfig
from ae_cls.head.joint import JointConfig
from ae_cls.head.knn import KnnConfig
from ae_cls.head.ladder import LadderConfig
from ae_cls.head.lda import LdaConfig
from ae_cls.head.linear import LinearConfig
from ae_cls.head.m2 import M2Config
from ae_cls.head.mlp import MlpConfig
from ae_cls.head.spread import SpreadConfig
from ae_cls.head.svm import SvmConfig

HeadChoice = Annotated[
    LinearConfig
    | LdaConfig
    | SvmConfig
    | ForestConfig
    | BoostingConfig
    | KnnConfig
    | ClustersConfig
    | SpreadConfig
    | MlpConfig
    | FinetuneConfig
    | JointConfig
    | LadderConfig
    | M2Config,
    Field(discriminator="name"),
]
