"""The public names of `ignn_jax`, and where each is defined."""

from .data.batches import train_batches as train_batches
from .data.pairs import Pair as Pair
from .data.pairs import PairSet as PairSet
from .data.sets import load_sets as load_sets
from .errors import InputError as InputError
from .evaluation.metrics import psnr as psnr
from .evaluation.metrics import ssim as ssim
from .evaluation.scores import Score as Score
from .evaluation.scores import evaluate as evaluate
from .evaluation.scores import mean_score as mean_score
from .inference.ensemble import self_ensemble as self_ensemble
from .inference.images import upscale as upscale
from .inference.upscalers import bicubic_upscaler as bicubic_upscaler
from .inference.upscalers import graph_agg_upscaler as graph_agg_upscaler
from .inference.upscalers import upscaler as upscaler
from .models.aggregation import aggregate as aggregate
from .models.edsr import EDSR as EDSR
from .models.embedding import embedding_of as embedding_of
from .models.factory import create_model as create_model
from .models.factory import model_settings as model_settings
from .models.graph import Graph as Graph
from .models.graph import GraphConfig as GraphConfig
from .models.graph import construct_graph as construct_graph
from .models.graph_agg import graph_agg as graph_agg
from .models.ignn import IGNN as IGNN
from .ops.bicubic import imresize as imresize
from .training.loop import fit as fit
from .training.optimizer import create_optimizer as create_optimizer
from .training.optimizer import learning_rate_schedule as learning_rate_schedule
from .training.step import TrainState as TrainState
from .training.step import init_state as init_state
from .training.step import train_step as train_step
from .weights.network import load as load
from .weights.network import save as save

__version__: str
