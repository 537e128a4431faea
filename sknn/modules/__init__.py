"""Architectures and layers, in plain PyTorch.

A new architecture is one file here and one name below; the tests of all architectures find it in the list. Its
constructor has parameters ``in_features`` and ``out_features``, and it returns raw scores ``(batch, out_features)``
without any link. The rest is optional, for modules of users too:

* If ``forward`` has a parameter ``x_cat``, it is called with category codes, and the constructor with
  ``cat_cardinalities``.
* If the module has an attribute ``n_members``, it returns ``(batch, n_members, out_features)``: each member is trained
  on its own loss, and their predictions are averaged.
* If it has a method ``fit_knots``, this is called before training with encoded rows and their weights (or None).
* If the class has an attribute ``reads``, this says what kind of data it is given, such as "image"; else X decides.
* If it has a method ``fit_start``, this is called before training with the training rows and their targets, see
  ``StartRows`` in ``_start.py``.
* If the class has an attribute ``recipe`` of the class ``Recipe``, this says what "auto" means for its training.
"""

from .activations import HalfSine
from .audio_net import AudioNet
from .committee import Committee
from .conv_net import ConvNet
from .embeddings import CategoricalEmbeddings, OneHot, UnknownMasking
from .flow_matching import FlowNetwork
from .ft_transformer import FeatureTokenizer, FTTransformer
from .log_mel import LogMel
from .masked_autoencoder import MaskedAutoencoder
from .mlp import MLP
from .numeric_embeddings import PeriodicEmbeddings, PiecewiseLinearEmbeddings
from .resnet import ResNet
from .sequence_net import SequenceNet
from .sequence_transformer import SequenceTransformer
from .spec_augment import SpecAugment
from .table_flow import TableFlow
from .tabm import TabM
from .text_net import TextNet
from .text_transformer import TextTransformer
from .unet import UNet

# What the estimators know to treat all columns alike, and whose parameters their messages name; the default first.
ARCHITECTURES = (TabM, MLP, ResNet, FTTransformer)

__all__ = [
    "MLP",
    "AudioNet",
    "CategoricalEmbeddings",
    "Committee",
    "ConvNet",
    "FTTransformer",
    "FeatureTokenizer",
    "FlowNetwork",
    "HalfSine",
    "LogMel",
    "MaskedAutoencoder",
    "OneHot",
    "PeriodicEmbeddings",
    "PiecewiseLinearEmbeddings",
    "ResNet",
    "SequenceNet",
    "SequenceTransformer",
    "SpecAugment",
    "TabM",
    "TableFlow",
    "TextNet",
    "TextTransformer",
    "UNet",
    "UnknownMasking",
]
