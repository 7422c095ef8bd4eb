"""A recipe: model and training options, under a name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .base import Count, Fraction, Name, Positive, Real, Section, Seed, Whole


class Checkpoints(Section):
    """When weights are kept and the model is evaluated: densely at first, then every so often, and at the end."""

    early: tuple[Annotated[Whole, Field(ge=0)], ...] = (0, 10, 30, 100, 300)
    """Steps; most change is in the first epochs. Step 0 is the untrained model and is always kept."""
    every_epochs: Positive = 1.0
    """Distance of the later checkpoints, in epochs."""
    every_steps: Count | None = None
    """Their distance in steps; where it is given, `every_epochs` is not used. The same for tasks of any set size."""


class OtherRun(Section):
    """A run whose weights another run uses: it is trained before it."""

    study: Name | None = None
    """Study of the run, whose results are there already; null: this study."""
    tier: Name | None = None
    """Tier of the run; null: the tier that is trained."""
    recipe: Name | None = None
    """Recipe of the run."""
    seed: Seed | None = None
    """Seed of the run; null: the seed that is trained."""
    step: Annotated[Whole, Field(ge=0)] | None = None
    """Checkpoint; null: the last one."""


class Init(OtherRun):
    """Weights to start from, of another run or of a file; the head is always drawn afresh."""

    weights: str | None = None
    """File below data_root instead of a run: safetensors, or a state dict of torchvision (.pth)."""

    @model_validator(mode="after")
    def _one_source(self):
        if (self.weights is None) == (self.recipe is None):
            raise ValueError(
                "found both or neither of recipe and weights; name a run by its recipe, or a file"
            )
        if self.weights is not None and any(
            value is not None for value in (self.study, self.tier, self.seed, self.step)
        ):
            raise ValueError(
                "study, tier, seed and step belong to a run, and weights is a file; leave them out"
            )
        return self


class Teacher(OtherRun):
    """Self-distillation: another run's softened outputs are a second target (Hinton et al. 2015)."""

    recipe: Name
    """Recipe of the teacher."""
    weight: Fraction = 0.5
    """Share of the teacher's target in the loss; the rest is the labels'."""
    temperature: Positive = 2.0
    """Both models' logits are divided by it for the teacher's target."""


class Shuffled(Section):
    """Training labels exchanged at random among images: what is left is memory."""

    kind: Literal["shuffled"]
    share: Fraction = 1.0
    """Share of the training images whose labels are shuffled."""


class RadialWave(Section):
    """Targets that swing with an image's norm: y(1 − a n) + a n/C, n = 1 + sin 2πf(‖x‖₂ − c) (METHODS 10)."""

    kind: Literal["radial-wave"]
    amount: Annotated[Real, Field(gt=0, le=0.5)] = 0.5
    """a: at 0.5 the target is flat at the crest of the wave."""
    frequency: Positive = 0.038
    """f, in cycles per unit of the normalised image's norm."""
    centre: Real | None = None
    """c; null: the mean norm of the training images."""


class FourierWave(Section):
    """Targets that swing along one Fourier basis image d: n = 1 + sin 2πf⟨x,d⟩ (METHODS 10).

    It ties the frequency of the response to a frequency of the image.
    """

    kind: Literal["fourier-wave"]
    amount: Annotated[Real, Field(gt=0, le=0.5)] = 0.5
    """a: at 0.5 the target is flat at the crest of the wave."""
    frequency: Positive = 0.25
    """f, in cycles per unit of the normalised image along d."""
    direction: tuple[Whole, Whole] = (0, 4)
    """(v, u): cycles/image of d down and across; d is a cosine of norm 1, the same in every channel."""


LabelNoise = Annotated[Shuffled | RadialWave | FourierWave, Field(discriminator="kind")]


class Recipe(Section):
    """Model and training options."""

    model: Name = "small_cnn"
    """`small_cnn`, or the name of a torchvision classifier such as `resnet18`."""
    stem: Literal["standard", "cifar"] = "standard"
    """`cifar`: 3×3 stride-1 first convolution and no max-pooling (ResNets on small images)."""
    width: Count = 32
    """Channels of the first layer of `small_cnn`."""
    normalisation: Literal["half", "imagenet"] = "half"
    """First layer: `half` is (x − 0.5) / 0.25; `imagenet` has the means and deviations that torchvision's weights
    expect."""
    init: Init | None = None
    """Weights to start from; null: drawn at random with the seed."""
    steps: Count = 1000
    """Optimiser steps, the same for every tier: the training time."""
    batch_size: Count = 128
    """Images per optimiser step."""
    images: Count | None = None
    """Training images used, balanced over classes and the same for every seed (a smaller number is a subset of a
    larger one); null: all of the tier's."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """`sgd` is with Nesterov momentum."""
    learning_rate: Positive = 0.05
    """Peak learning rate."""
    momentum: Fraction = 0.9
    """Momentum of `sgd`."""
    weight_decay: Annotated[Real, Field(ge=0)] = 5e-4
    """Weight decay (decoupled for `adamw`)."""
    schedule: Literal["constant", "cosine", "one-cycle", "step"] = "cosine"
    """Learning rate over training; `one-cycle` rises over the first 30 % and falls to zero."""
    step_at: tuple[Fraction, ...] = (0.5, 0.75)
    """`step`: shares of training after which the learning rate is multiplied by `step_factor`."""
    step_factor: Positive = 0.1
    """`step`: see `step_at`."""
    ema: Annotated[Real, Field(ge=0, lt=1)] = 0.0
    """Decay per step of an exponential moving average of the weights; checkpoints then hold the average. 0: off."""
    augment: Name = "none"
    """`none`; `flip-crop`: random mirror and shift by up to an eighth of the side, zero-padded; or an image transform
    of torchvision.transforms.v2 by its class name, such as `TrivialAugmentWide` (slower: image by image)."""
    augment_options: dict[str, Any] = {}
    """Arguments of the torchvision transform."""
    objective: Literal["cross-entropy", "triplet"] = "cross-entropy"
    """`triplet`: an embedding in which an image is nearer to one of its own class than to one of another (Hoffer and
    Ailon 2015); its logits are −‖e(x) − μ_c‖², μ_c the class mean of training embeddings (METHODS 3)."""
    embedding: Count = 64
    """`triplet`: numbers per embedding."""
    margin: Positive = 1.0
    """`triplet`: how much nearer, in units of distance."""
    label_smoothing: Annotated[Real, Field(ge=0, lt=1)] = 0.0
    """Share of the target spread evenly over the classes."""
    label_noise: LabelNoise | None = None
    """Variants of the training labels; validation labels stay true."""
    teacher: Teacher | None = None
    """Self-distillation from another run; null: none."""
    checkpoints: Checkpoints = Checkpoints()
    """When weights are kept and the model is evaluated."""
    evaluation_images: Count = 1000
    """Fixed, unaugmented training images for the matched-loss reading (METHODS 9)."""
    batch_norm_images: Annotated[Whole, Field(ge=0)] = 1024
    """Training images from which evaluated and measured copies recompute batch-norm statistics; 0: off."""
    measure_during_training: bool = False
    """Measure at each checkpoint while training and keep the last weights only, for runs whose checkpoints would not
    fit on the disk. A changed measure then trains anew."""
    threads: Count = 1
    """CPU threads of a training; several trainings side by side beat one with many threads."""
    gpus: Count = 1
    """GPUs of a training; several share each batch (torchrun)."""
    compile: bool = False
    """Compile the model with torch.compile on CUDA: slower to start, faster steps."""
    deterministic: bool = False
    """Bit-equal repetitions on CUDA too, at a cost in speed; on the CPU they always are."""
    time_limit_minutes: Count = 720
    """Wall time of one training job; state is saved and the job ends by itself before it."""

    @model_validator(mode="after")
    def _parts_fit_together(self):
        if self.objective == "triplet":
            for name, used in (
                ("label_smoothing", self.label_smoothing > 0),
                ("teacher", self.teacher is not None),
                ("label_noise", self.label_noise is not None and self.label_noise.kind != "shuffled"),
            ):
                if used:
                    raise ValueError(
                        f"{name}: changes the target of cross-entropy, and the triplet objective has none; "
                        "leave it out, or choose objective: cross-entropy"
                    )
            if self.gpus > 1:
                raise ValueError(
                    "gpus: the triplet objective compares images of the whole batch; use one GPU"
                )
            if self.batch_size < 4 or self.batch_size % 2:
                raise ValueError(
                    f"batch_size: found {self.batch_size}; the triplet objective takes pairs: even, 4 or more"
                )
        if self.augment_options and self.augment in ("none", "flip-crop"):
            raise ValueError(f"augment_options: augment: {self.augment} has no options")
        if self.images is not None and self.images < self.batch_size:
            raise ValueError(f"images: found {self.images}, fewer than one batch ({self.batch_size})")
        if self.batch_size % self.gpus:
            raise ValueError(f"gpus: found {self.gpus}, which does not divide batch_size ({self.batch_size})")
        return self
