/*
 * inkling: train a small image classifier in seconds on a CPU, and ship it as plain C.
 *
 * This is the only installed header and the manual of the library.
 *
 * Conventions
 *   Names       ink_noun_verb. Structs are opaque unless they are plain options or results.
 *   Errors      What can fail returns enum ink_status and takes a struct ink_error as its last argument, which may be
 *               NULL. On failure an output pointer is set to NULL and nothing is left half made.
 *   Ownership   _new, _open and _load give the caller an object that the matching _free releases; _free accepts NULL.
 *               A const pointer that is returned belongs to the object it came from.
 *   Shapes      are written (N, H, W, C): images, rows, columns, channels, the last index running fastest.
 *   Manners     The library never prints, exits, reads the environment or touches global state. Different objects may
 * be used by different threads at the same time; one object by one thread at a time, except that any number of threads
 * may share a const object. Numbers     Computation is in float (IEEE binary32). The same seed gives the same bytes for
 * any number of threads and any instruction set; docs/design.md, "Numerics contract", says how.
 */
#ifndef INKLING_H
#define INKLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define INK_VERSION "0.1.0"

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/* What went wrong, in the classes that a program's exit code can carry. */
enum ink_status {
    INK_OK = 0,
    INK_FAILED = 1,       /* the system: memory, reading, writing, a feature this build lacks */
    INK_BAD_ARGUMENT = 2, /* the caller: an option, a network's text, a name */
    INK_BAD_INPUT = 3,    /* the data: a malformed or unsuitable file */
    INK_DIVERGED = 5,     /* training: the loss is not a finite number any more */
    INK_STOPPED = 130     /* training: the caller's on_batch asked to stop; the trainer is whole and can go on */
};

/* A message that names file, place, found and expected, in one line without a full stop. */
struct ink_error {
    enum ink_status code;
    char message[1024];
};

/* ---- The build and the machine ----------------------------------------------------------------------------------- */

/* One optional part of the library: "sha256". */
struct ink_feature {
    const char *name;
    bool present;
};

/* The optional parts, ended by a row whose name is NULL. Static. */
const struct ink_feature *ink_features(void);

/* The name of the fastest kernel set that this machine can run: "portable", "avx2", "avx512" or "neon". Static. */
const char *ink_kernels_best(void);

/* The name of the i-th kernel set that this machine can run, the reference "portable" first; NULL past the last. */
const char *ink_kernels_name(size_t i);

/* The processors this process may use (affinity mask and cgroup quota counted in), at least 1. */
size_t ink_usable_cpus(void);

/* How to compute. Zero-initialised is the default everywhere: all usable processors, the fastest kernels. It changes
 * speed alone, never a bit of a result. */
struct ink_compute {
    size_t threads;      /* 0: ink_usable_cpus() */
    const char *kernels; /* NULL: ink_kernels_best() */
};

/* ---- Data sets --------------------------------------------------------------------------------------------------- */

/* The shape of one image. */
struct ink_shape {
    size_t height, width, channels;
};

enum ink_split { INK_TRAIN, INK_TEST };

/* How a long operation on many files or images is done. Zero-initialised is the default. */
struct ink_work {
    size_t threads; /* 0: ink_usable_cpus() */
    /* Called now and then, if set, on the thread that called; return false to stop there, with INK_STOPPED. */
    bool (*on_progress)(void *context, size_t done, size_t count);
    void *context;
};

struct ink_dataset;

/* Zero-initialised is the default. */
struct ink_dataset_options {
    const char *const *search; /* folders in which a data set's NAME is looked for, ended by NULL; NULL: nowhere */
    const char *labels;        /* the label file, when the data set is given as an image file; NULL: found beside it */
    size_t synthetic_count;    /* images of "synthetic": 0 means 10,000 for training and 2,000 for testing */
    uint64_t synthetic_seed;
    struct ink_shape size; /* resize every image to this; 0 channels: as many as there are; 0 height: no resizing */
    struct ink_shape picture_size; /* the same, for folders of pictures alone: what a network sees */
    struct ink_work work;
};

/* Opens a labelled data set of uint8 images.
 *
 * `name_or_path` is
 *   - "synthetic": digits drawn by the library itself, always available;
 *   - a known name, "mnist", "fashion-mnist" or "kmnist", looked for as a folder of that name in options->search;
 *   - a folder holding IDX files named as MNIST's are (train-images-idx3-ubyte, t10k-labels.idx1-ubyte.gz, ...);
 *   - a folder of pictures (PNG, PGM or PPM), a sub-folder for each class, in it or in its sub-folders train and test.
 *     Classes are in the order of the sub-folders' names, by number if all are numbers, else byte by byte; a file
 *     classes.txt, one name a line, orders them otherwise. Names that begin with a dot are left out. All pictures
 *     have one size, unless options->size is set; sizes differ, a file is damaged or no picture: INK_BAD_INPUT, with
 *     its path;
 *   - a CSV file, plain or gzipped, a line an image: a label in the first or the last column and pixels from 0 to 255,
 *     with or without a line of headings. Square images of 1 or 3 channels, unless options->size has the number of
 *     pixels that there are;
 *   - an npz file of NumPy's with the arrays x_train, y_train, x_test, y_test (or train_images, train_labels, ...), or
 *     with x and y (or X, images and labels, data and target, arr_0 and arr_1): images as (N, H, W), (N, H, W, C) or
 *     (N, pixels), whole numbers from 0 to 255 of any type; class_names, an array of texts, if it is there;
 *   - an IDX or npy image file, with its label file.
 * Files are told apart by content, and what is not divided into training and test images is opened whole whatever
 * `split` says: see ink_dataset_is_whole. IDX files may be plain (mapped, not copied) or gzipped.
 * INK_BAD_INPUT for a malformed file, INK_FAILED when nothing is found; the message then lists where it looked.
 * `options` may be NULL. */
enum ink_status ink_dataset_open(struct ink_dataset **out, const char *name_or_path, enum ink_split split,
                                 const struct ink_dataset_options *options, struct ink_error *err);

/* A data set over the caller's own memory, which must outlive it. `pixels` is (count, H, W, C), `labels` (count), each
 * below `classes`, at most 4,096. Class names are the decimal digits of the class. */
enum ink_status ink_dataset_wrap(struct ink_dataset **out, const char *name, struct ink_shape shape, size_t count,
                                 size_t classes, const uint8_t *pixels, const uint16_t *labels, struct ink_error *err);

void ink_dataset_free(struct ink_dataset *data);

/* Leaves the first `count` images and no more; 0, or more than there are, leaves all. */
void ink_dataset_limit(struct ink_dataset *data, size_t count);

/* The name it was opened by, for reports: "mnist", or the path. */
const char *ink_dataset_name(const struct ink_dataset *data);
size_t ink_dataset_count(const struct ink_dataset *data);
struct ink_shape ink_dataset_shape(const struct ink_dataset *data);
size_t ink_dataset_classes(const struct ink_dataset *data);
/* The name of class `c` < classes: "7", or "Sneaker". */
const char *ink_dataset_class_name(const struct ink_dataset *data, size_t c);
/* Image `i` < count: (H, W, C) bytes, 0 to 255. */
const uint8_t *ink_dataset_pixels(const struct ink_dataset *data, size_t i);
/* The class of image `i` < count. */
size_t ink_dataset_label(const struct ink_dataset *data, size_t i);
/* True if its source is not divided into training and test images: then it is all there is. */
bool ink_dataset_is_whole(const struct ink_dataset *data);
/* What the user should know of how it was read: the i-th remark, in one line without a full stop; NULL past the
 * last. */
const char *ink_dataset_note(const struct ink_dataset *data, size_t i);
/* Writes the SHA-256 of all pixels followed by all labels (a byte each, two with the lower first if there are more than
 * 256 classes) as 64 hexadecimal digits; an empty string when the build has no "sha256". Reads the whole data set. */
void ink_dataset_sha256(const struct ink_dataset *data, char hex[65]);

/* What a data set can be written as: the i-th name, NULL past the last. */
const char *ink_dataset_format_name(size_t i);

/* Writes a data set, or both splits of one (`test` may be NULL), in a format that ink_dataset_open reads:
 *   "idx"   a folder at `path` of files named as MNIST's are
 *   "npz"   a file of NumPy's with x_train, y_train, x_test, y_test, or with x and y if `test` is NULL
 *   "png"   a folder of pictures, train/CLASS/00000.png and test/CLASS/00000.png, or CLASS/00000.png
 * Names of classes that are more than their numbers go with it, as classes.txt or as the array class_names. `compress`
 * gzips IDX files and deflates arrays. A folder must not be there yet, unless it is empty; it appears when all of it is
 * written. `work` may be NULL. INK_BAD_ARGUMENT for an unknown format, and where two classes' folders would have one
 * name; INK_BAD_INPUT if the splits have different shapes. */
enum ink_status ink_dataset_write(const struct ink_dataset *train, const struct ink_dataset *test, const char *format,
                                  const char *path, bool compress, const struct ink_work *work, struct ink_error *err);

/* What is published about a known data set, and where: the sources of `inkling fetch`. */
struct ink_dataset_file {
    const char *name;   /* "train-images-idx3-ubyte" */
    const char *sha256; /* of the decompressed content; NULL if unknown */
};
struct ink_dataset_source {
    const char *name;                 /* "mnist"; NULL in the last row */
    const char *title;                /* "MNIST handwritten digits" */
    struct ink_dataset_file files[4]; /* training images, training labels, test images, test labels */
    const char *mirrors[4];           /* URL prefixes to which "NAME.gz" is appended, ended by NULL */
};
/* The known data sets, ended by a row whose name is NULL. Static. */
const struct ink_dataset_source *ink_dataset_sources(void);

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

struct ink_picture;

/* Decodes one PNG (any colour type, depth or interlacing; alpha over white) or PGM/PPM (P2, P5, P3, P6) from memory,
 * told apart by content. At most 64 megapixels. `name` is for messages. */
enum ink_status ink_picture_decode(struct ink_picture **out, const void *bytes, size_t size, const char *name,
                                   struct ink_error *err);
/* The same for what a stranger sends: INK_BAD_ARGUMENT for more pixels than `most`, before there is memory for them. */
enum ink_status ink_picture_decode_within(struct ink_picture **out, const void *bytes, size_t size, size_t most,
                                          const char *name, struct ink_error *err);
void ink_picture_free(struct ink_picture *picture);
struct ink_shape ink_picture_shape(const struct ink_picture *picture); /* channels 1 or 3 */
const uint8_t *ink_picture_pixels(const struct ink_picture *picture);  /* (H, W, C) */

/* Writes a PNG of 8-bit grey or RGB pixels (H, W, C), C = 1 or 3. */
enum ink_status ink_picture_write_png(const char *path, struct ink_shape shape, const uint8_t *pixels,
                                      struct ink_error *err);

/* The same file in memory: *size bytes, which the caller releases with free(). `name` is for messages. */
enum ink_status ink_picture_encode_png(unsigned char **bytes, size_t *size, struct ink_shape shape,
                                       const uint8_t *pixels, const char *name, struct ink_error *err);

enum ink_fit {
    INK_FIT_DIGIT, /* as MNIST was made: grey, ink bright on black, cropped, scaled into 20/28 of the side keeping its
                      form, centred by mass */
    INK_FIT_RAW    /* grey or colour as the shape asks, resized; nothing else */
};

/* Makes the image that a network of input `shape` expects from a picture: writes (H, W, C) bytes to `pixels`.
 * INK_BAD_INPUT if INK_FIT_DIGIT finds no ink at all. */
enum ink_status ink_picture_fit(const struct ink_picture *picture, enum ink_fit fit, struct ink_shape shape,
                                uint8_t *pixels, struct ink_error *err);

/* A rectangle of a picture, in its pixels. */
struct ink_box {
    size_t top, left, height, width;
};

/* Finds the digits that stand side by side in a picture, and makes of each what INK_FIT_DIGIT makes of one: writes
 * their number, at most `most`, to *count, and from left to right their places to `boxes` (most) and their images to
 * `pixels` (most, H, W, C). Pieces of ink that stand one above the other, or are small and near, are one digit; so are
 * digits that touch. INK_BAD_INPUT if there is no ink, or more digits than `most`. */
enum ink_status ink_picture_segment(const struct ink_picture *picture, struct ink_shape shape, size_t most,
                                    struct ink_box *boxes, uint8_t *pixels, size_t *count, struct ink_error *err);

/* ---- Networks ---------------------------------------------------------------------------------------------------- */

struct ink_net;

/* A named network with the training options that suit it. */
struct ink_preset {
    const char *name;  /* NULL in the last row */
    const char *spec;  /* its line of text */
    const char *about; /* one line for --help */
    const char *initialisation, *optimizer, *schedule;
    double learning_rate, weight_decay;
    size_t batch;
};
const struct ink_preset *ink_presets(void);

/* Makes a network from one line of text, or a preset's name.
 *
 * The line is a list of layers, separated by commas:
 *   dense N                     y = x W + b; W is (in, N). A picture is read in (H, W, C) order
 *   conv N KxK [stride S] [pad P]
 *                               N filters of K x K, stride 1 and no padding unless given; W is (K, K, C, N)
 *   pool K [stride S]           largest of each K x K window, stride K unless given
 *   avgpool K [stride S]        mean of the same
 *   globalpool, globalavg       largest or mean over all positions
 *   norm                        batch normalisation by channel, running statistics with momentum 0.1
 *   dropout P                   in training, zero with probability P, the rest scaled by 1/(1-P)
 *   sigmoid, tanh, relu, leaky [A], gelu
 *                               activations, which may also follow dense, conv or norm without a comma
 *   res [ ... ]                 adds the group's input to its output
 * and may end with the loss, `cross-entropy` (the default: softmax with cross-entropy, fused) or `mse` (softmax, then
 * half the sum of squares, as in the notebook).
 *
 * `initialisation` is "xavier" (default when NULL), "he" or "randn"; `seed` seeds NumPy's RandomState, from which the
 * weights are drawn in order. A wrong line gives INK_BAD_ARGUMENT with the column and what was expected there. */
enum ink_status ink_net_new(struct ink_net **out, struct ink_shape input, const char *spec, const char *initialisation,
                            uint64_t seed, struct ink_error *err);
void ink_net_free(struct ink_net *net);

/* A model file is safetensors: a tensor a parameter, in (in, out) and (K, K, C, N) layout, and in its metadata all that
 * is needed to use it. Saving writes a temporary file in the same folder, syncs and renames it. Reading believes
 * nothing: INK_BAD_INPUT names the file, the place, what was found and what was expected. */
enum ink_status ink_net_load(struct ink_net **out, const char *path, struct ink_error *err);
enum ink_status ink_net_save(const struct ink_net *net, const char *path, struct ink_error *err);

struct ink_shape ink_net_input(const struct ink_net *net);
size_t ink_net_classes(const struct ink_net *net);
size_t ink_net_parameters(const struct ink_net *net);
/* The line of text it was made from, presets written out. */
const char *ink_net_spec(const struct ink_net *net);
/* Names of the classes; "0", "1", ... until a trainer or a file sets them. */
const char *ink_net_class_name(const struct ink_net *net, size_t c);

/* Metadata: free text by key. Keys used by the library: "format", "spec", "input", "classes", "mean", "deviation",
 * "dataset", "dataset_sha256", "seed", "options", "validation_accuracy", "fit" ("raw": pictures as they are, only
 * resized, were trained on, so pictures are to be seen with INK_FIT_RAW). `i`-th pair; false past the last. */
bool ink_net_metadata(const struct ink_net *net, size_t i, const char **key, const char **value);
/* Sets or replaces a pair. INK_BAD_ARGUMENT for a key that the library owns. */
enum ink_status ink_net_set_metadata(struct ink_net *net, const char *key, const char *value, struct ink_error *err);

/* The i-th layer, for display; false past the last. */
struct ink_layer_info {
    char text[64];        /* as it stands in the line */
    struct ink_shape out; /* (1, 1, N) after dense */
    size_t parameters;
    double multiply_adds; /* of one image, forward */
};
bool ink_net_layer(const struct ink_net *net, size_t i, struct ink_layer_info *info);

/* The i-th parameter; false past the last, and for a quantised net, which has integers. Its values are copied to the
 * caller's `out` of `count` floats if out is not NULL. */
struct ink_parameter_info {
    const char *name; /* "0.weight", "2.bias": the layer's index in the line */
    size_t shape[4];
    size_t rank;
    size_t count;
};
bool ink_net_parameter(const struct ink_net *net, size_t i, struct ink_parameter_info *info, float *out);

/* ---- Quantisation ------------------------------------------------------------------------------------------------ */

/* Makes of a trained net one of 8-bit integers, four times smaller, whose answers are almost the same: weights of a
 * signed byte with a scale a unit or filter, values of a byte with a scale a layer, sums in 32 bits, norms folded. The
 * ranges of the values are chosen by the least mean square error on 1,000 images of `data`, evenly spaced, which
 * should be training images. The result runs, is evaluated, saved, loaded and exported as any net, but cannot be
 * trained. INK_BAD_INPUT if the data do not fit, or if integers cannot hold the net. */
enum ink_status ink_net_quantise(struct ink_net **out, const struct ink_net *net, const struct ink_dataset *data,
                                 const struct ink_compute *compute, struct ink_error *err);
bool ink_net_is_quantised(const struct ink_net *net);
/* The bytes of its parameters: four each, or what the integers of a quantised net take. */
size_t ink_net_bytes(const struct ink_net *net);

/* ---- Inference --------------------------------------------------------------------------------------------------- */

struct ink_session;

/* Working memory to run `net` on up to `max_batch` images at a time. One session is for one thread at a time; many
 * share one const net, which must outlive them and stay unchanged. Batch normalisation is folded into the layer before
 * it. */
enum ink_status ink_session_new(struct ink_session **out, const struct ink_net *net, size_t max_batch,
                                const struct ink_compute *compute, struct ink_error *err);
void ink_session_free(struct ink_session *session);

/* Runs `n` <= max_batch images. `images` is (n, H, W, C), intensities in [0, 1] (a byte divided by 255);
 * `probabilities` is (n, classes). Never fails, never allocates. One thread. */
void ink_session_run(struct ink_session *session, const float *images, size_t n, float *probabilities);
/* The same for bytes. */
void ink_session_run_bytes(struct ink_session *session, const uint8_t *images, size_t n, float *probabilities);

/* For display: writes what layer `i` of the net gave for the last image of the latest run, (H, W, C) floats of the
 * shape that ink_net_layer tells, to `out`; false past the last. A layer that inference leaves out, such as dropout,
 * gives what the layer before it gave; so does a norm that is folded into it. */
bool ink_session_layer(const struct ink_session *session, size_t i, float *out);

/* ---- Export ------------------------------------------------------------------------------------------------------ */

/* Writes the network as one C99 file and its header, which need nothing but <math.h>: the weights as constants, norms
 * folded, and NAME_predict(image, probabilities, scratch), whose results have the bits of ink_session_run. The header
 * says sizes in macros that begin with NAME in capitals. `name` is a C identifier; the C file includes the header by
 * the last part of `path_h`, so both lie in one folder. INK_BAD_ARGUMENT for another name, INK_BAD_INPUT for weights
 * that are not finite. */
enum ink_status ink_export_c(const struct ink_net *net, const char *name, const char *path_c, const char *path_h,
                             struct ink_error *err);

/* Writes the network as ONNX (IR 7, opset 13). Input `image` is (N, C, H, W), float intensities in [0, 1]; output
 * `probabilities` is (N, classes); N is open. The texts of ink_net_metadata, the line and the class names are the
 * file's metadata. INK_FAILED in a build without "onnx". */
enum ink_status ink_export_onnx(const struct ink_net *net, const char *path, struct ink_error *err);

/* Writes the network as one HTML page that works from a file, without a network: it takes a drawing, or a picture, as
 * ink_picture_fit does, and shows the probabilities, computed by the code of exported C files in WebAssembly.
 * INK_BAD_ARGUMENT for a quantised network, INK_BAD_INPUT for weights that are not finite, INK_FAILED in a build
 * without "html". */
enum ink_status ink_export_html(const struct ink_net *net, const char *path, struct ink_error *err);

/* How weights are named and laid out as arrays for others. */
enum ink_layout {
    INK_LAYOUT_ANY,     /* import: as names and shapes say; export: as INK_LAYOUT_INKLING */
    INK_LAYOUT_INKLING, /* as ink_net_parameter gives them */
    INK_LAYOUT_TORCH    /* as load_state_dict of PyTorch's nn.Sequential takes them, see ink_torch_module */
};

/* Writes the weights alone, an array a parameter, as NumPy's npz. Arrays "mean" and "deviation" (C) are added where the
 * network has them. */
enum ink_status ink_export_npz(const struct ink_net *net, enum ink_layout layout, const char *path,
                               struct ink_error *err);
/* Writes them as safetensors, with the texts of the network as metadata. In our own layout that is ink_net_save. */
enum ink_status ink_export_safetensors(const struct ink_net *net, enum ink_layout layout, const char *path,
                                       struct ink_error *err);

/* Writes the Python text of the module that takes the weights in PyTorch's layout, "nn.Sequential(nn.Conv2d(...),
 * ...)", which gives logits, as snprintf does: at most `size` bytes with the final zero. Returns its whole length. */
size_t ink_torch_module(const struct ink_net *net, char *text, size_t size);

/* ---- Import ------------------------------------------------------------------------------------------------------ */

/* Zero-initialised is the default. */
struct ink_import_options {
    struct ink_shape input; /* of an image, where the file does not say it; zero: as the file says */
    const char *spec;       /* the network's line, for a file of weights alone; NULL: as the file says */
    /* What the network was trained to see is (x - mean) / deviation, by channel, of intensities x in [0, 1], and the
     * file leaves that to the caller. deviation 0: 1. */
    float mean[4], deviation[4];
    enum ink_layout layout; /* of weights */
};

/* Reads a network that was trained elsewhere, told apart by content:
 *   - weights alone, npz or safetensors, whose names and shapes are those of one of the layouts; options->spec says what
 *     network they are of, and options->input (28x28x1 if zero), unless the metadata do;
 *   - an ONNX graph of layers in a row (Gemm, MatMul and Add, Conv, BatchNormalization, pools, activations, Dropout,
 *     reshapes) with residual additions, as PyTorch's and Keras's exporters write it. A last Softmax may be missing.
 * INK_BAD_INPUT names the array or the node that does not fit or is not supported; INK_FAILED for ONNX in a build
 * without "onnx". `options` may be NULL. */
enum ink_status ink_net_import(struct ink_net **out, const char *path, const struct ink_import_options *options,
                               struct ink_error *err);

/* ---- Evaluation -------------------------------------------------------------------------------------------------- */

struct ink_metrics {
    size_t count, correct, classes;
    double accuracy;                    /* correct / count */
    double accuracy_low, accuracy_high; /* 95% interval, Wilson's score */
    double loss;                        /* mean of the network's own loss */
    size_t *confusion;                  /* (classes, classes): row = true class, column = answer */
};

/* Runs the network over all of `data`. INK_BAD_INPUT if shapes or classes do not fit. Free with ink_metrics_free. */
enum ink_status ink_evaluate(const struct ink_net *net, const struct ink_dataset *data,
                             const struct ink_compute *compute, struct ink_metrics *metrics, struct ink_error *err);
/* The same, answering by the mean of the probabilities for the image moved by 0 to `shifts` <= 16 whole pixels each
 * way, black coming in: better than one look, at (2 shifts + 1)^2 times the cost. */
enum ink_status ink_evaluate_shifted(const struct ink_net *net, const struct ink_dataset *data, size_t shifts,
                                     const struct ink_compute *compute, struct ink_metrics *metrics,
                                     struct ink_error *err);
void ink_metrics_free(struct ink_metrics *metrics);

/* The answers themselves that ink_evaluate counts: writes (count, classes) probabilities in the order of `data`, whose
 * labels are not read. INK_BAD_INPUT if shapes or classes do not fit. */
enum ink_status ink_evaluate_each(const struct ink_net *net, const struct ink_dataset *data,
                                  const struct ink_compute *compute, float *probabilities, struct ink_error *err);
/* Whether `net` was trained on these very images, by the SHA-256 in its metadata. Reads the whole data set. */
bool ink_net_trained_on(const struct ink_net *net, const struct ink_dataset *data);
/* The images that training held out for validation, as a data set of its own: what is left to measure `net` on when it
 * was trained on `data` and there are no others. They chose the epoch, if training kept the best. INK_BAD_INPUT if it
 * held out none. */
enum ink_status ink_dataset_held_out(struct ink_dataset **out, const struct ink_dataset *data,
                                     const struct ink_net *net, struct ink_error *err);

/* Precision, recall and F1 of class `c`; 0 where the denominator is 0. */
struct ink_class_metrics {
    size_t count;
    double precision, recall, f1;
};
struct ink_class_metrics ink_metrics_class(const struct ink_metrics *metrics, size_t c);

/* ---- Training ---------------------------------------------------------------------------------------------------- */

struct ink_trainer;

/* What on_batch is told. */
struct ink_progress {
    size_t epoch, epochs;  /* epoch counts from 0 */
    size_t batch, batches; /* done in this epoch, of how many */
    size_t images;         /* done in this epoch */
    double loss, accuracy; /* means over the epoch so far, training images as seen, augmentation and dropout on */
    double batch_loss, learning_rate; /* of this batch alone */
};

/* Augmentation: each time an image is trained on it is changed anew, drawn by (seed, epoch, image); validation and
 * evaluation see images as they are. `augment` is a list, separated by commas, of
 *   shift N         moved by whole pixels, up to N across and N down
 *   rotate D        turned by up to D degrees either way
 *   scale S         made larger or smaller by up to the share S, "12%" or "0.12"
 *   shear D         slanted by up to D degrees either way
 *   elastic P       bent: the nodes of a grid of a quarter of the side are nudged by up to P pixels, the rest follows
 *                   smoothly (a cubic B-spline)
 *   flip            mirrored left to right, half of the time
 *   brightness S    intensities multiplied by 1 - S to 1 + S
 *   contrast S      their distance from the image's mean multiplied by 1 - S to 1 + S
 *   erase S         with the chance S a rectangle becomes noise, each side 15% to 60% of the image's
 * in any order; they are done in this one, the first six in one bilinear sampling, with black around the image. */

/* Zero-initialised members mean the default in parentheses; ink_train_options_default() writes them out, taking a
 * preset's own where it has them. The schedule `rising` goes exponentially from 2^-20 of the learning rate up to it, to
 * find out which rate is good. */
struct ink_train_options {
    size_t epochs;             /* (10) */
    size_t batch;              /* (100) the last batch of an epoch may be smaller */
    size_t validation;         /* images held out of the training set, drawn by the seed */
    bool keep_last;            /* keep the last epoch's weights, not the best by validation accuracy */
    size_t patience;           /* stop after so many epochs without a better validation accuracy; 0: never */
    const char *optimizer;     /* ("adam") sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, muon */
    const char *schedule;      /* ("constant") constant, step, cosine, linear, one-cycle, rising */
    double learning_rate;      /* (the optimizer's) the peak of the schedule */
    double momentum;           /* (0.9) beta1 for adam and adamw */
    double beta2;              /* (0.999) */
    double weight_decay;       /* 0; weights only, never biases and norms */
    double clip;               /* 0: off; else the largest Euclidean norm of the whole gradient */
    double warmup;             /* epochs of linear warm-up before the schedule */
    double step_epochs;        /* (10) "step": divide the rate by 10 every so many epochs */
    double label_smoothing;    /* 0 */
    const char *class_weights; /* ("none") or "balanced": the loss of an image of class c counts n / (K n_c) times, K
                                  being the classes that have images, so that all weigh the same */
    double bias_rate;          /* (1) biases and the shifts of norms learn so many times as fast as the rest */
    double ema;                /* 0: off; else validation and the result take the running mean of the weights, the last
                             * `ema` epochs counting half and so on back; a plain mean at first. The running statistics
                             * of norms are averaged likewise. */
    bool normalise;            /* the network's mean and deviation become those of the training images, by channel */
    const char *augment;       /* how training images are changed, below; NULL or "": not at all */
    uint64_t seed;             /* shuffling, validation, dropout, augmentation */
    struct ink_compute compute;
    /* Called after every batch, if set, on the thread that called ink_trainer_epoch; return false to stop there. */
    bool (*on_batch)(void *context, const struct ink_progress *progress);
    void *context;
};

void ink_train_options_default(struct ink_train_options *options, const char *preset_or_spec);

/* The optimizers, the schedules, the initialisations, the weights of classes, for --help: the i-th name, NULL past the
 * last. */
const char *ink_optimizer_name(size_t i);
const char *ink_schedule_name(size_t i);
const char *ink_initialisation_name(size_t i);
const char *ink_class_weights_name(size_t i);

/* Prepares to train `net` on `train`, both of which must outlive the trainer; the trainer writes the net's weights. All
 * memory of training is taken here. INK_BAD_ARGUMENT names a wrong option; INK_BAD_INPUT, data that do not fit. */
enum ink_status ink_trainer_new(struct ink_trainer **out, struct ink_net *net, const struct ink_dataset *train,
                                const struct ink_train_options *options, struct ink_error *err);
void ink_trainer_free(struct ink_trainer *trainer);

struct ink_epoch_stats {
    size_t epoch;                                /* from 0 */
    double seconds;                              /* of training alone */
    double loss, accuracy;                       /* over the training images as seen */
    double validation_loss, validation_accuracy; /* NaN without validation images */
    double learning_rate;                        /* of its last batch */
    double images_per_second;
    bool best; /* the best validation accuracy so far */
};

/* Trains to the end of the current epoch. INK_STOPPED if on_batch said so: call it again to go on. INK_DIVERGED names
 * layer and step; the net then holds the weights from before that step. */
enum ink_status ink_trainer_epoch(struct ink_trainer *trainer, struct ink_epoch_stats *stats, struct ink_error *err);
/* True when all epochs are done or patience ran out. */
bool ink_trainer_done(const struct ink_trainer *trainer);
/* Ends training: the net gets the kept weights (see keep_last), its class names and its metadata. */
enum ink_status ink_trainer_finish(struct ink_trainer *trainer, struct ink_error *err);

/* The whole state of training, between batches; resuming gives the same bytes as never having stopped. Resume with a
 * trainer newly made from a net, data set and options that are equal; INK_BAD_INPUT names the first difference. */
enum ink_status ink_trainer_save(const struct ink_trainer *trainer, const char *path, struct ink_error *err);
enum ink_status ink_trainer_resume(struct ink_trainer *trainer, const char *path, struct ink_error *err);

/* ---- Checking a machine ------------------------------------------------------------------------------------------ */

/* A short training run on "synthetic", and the checksum that its result has on every machine: the 64-bit FNV-1a of all
 * parameters in the order of ink_net_parameter, each value as its four bytes, lowest first. */
struct ink_selftest {
    const char *name;    /* a preset's, or another; NULL in the last row */
    const char *spec;    /* the network */
    const char *augment; /* of its images; NULL: none */
    uint64_t checksum;
};
/* The runs, ended by a row whose name is NULL. Static. */
const struct ink_selftest *ink_selftests(void);

/* Does one of them, in some tenths of a second with the portable kernels, and writes the checksum that it gave here:
 * where it is not test->checksum, this machine or this build computes wrongly. INK_FAILED for what could not be run. */
enum ink_status ink_selftest_run(const struct ink_selftest *test, const struct ink_compute *compute, uint64_t *checksum,
                                 struct ink_error *err);

/* ---- The notebook ------------------------------------------------------------------------------------------------ */

/* One run of the notebook after np.random.seed(seed), in double precision. */
struct ink_notebook {
    size_t index; /* of the image drawn */
    size_t label;
    double t[10]; /* one-hot target */
    double y[10]; /* softmax output, (1, 10) in the notebook */
    double mean_square_error;
    double cross_entropy_error;
};

/* `data` must have images of 784 bytes and 10 classes at most: INK_BAD_INPUT else. seed < 2^32. */
enum ink_status ink_notebook_run(struct ink_notebook *result, const struct ink_dataset *data, uint32_t seed,
                                 struct ink_error *err);
/* The four lines that the notebook prints, newline after each, as NumPy prints them with precision=2, suppress=True. At
 * most 1024 bytes with the final zero. */
void ink_notebook_print(const struct ink_notebook *result, char text[1024]);

#ifdef __cplusplus
}
#endif

#endif
