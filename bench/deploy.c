/* One exported network, whose functions and sizes are the compiler's arguments, as tests and users run it.
 *
 *     deploy-NAME            the seconds of one image: a number a line, of many images each
 *     deploy-NAME IN OUT     the probabilities of the images in IN, floats both */
#include <stdio.h>
#include <time.h>

#define SAMPLES 15
#define SECONDS 0.004 /* a sample's, about */

static float image[INPUTS], probabilities[CLASSES], scratch[SCRATCH];

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double measure(int count)
{
    const double start = now();
    for (int i = 0; i < count; i++)
        PREDICT(image, probabilities, scratch);
    return (now() - start) / count;
}

static int answer(const char *from, const char *to)
{
    FILE *const in = fopen(from, "rb"), *const out = fopen(to, "wb");
    int failed = in == NULL || out == NULL;
    while (!failed && fread(image, sizeof image, 1, in) == 1) {
        PREDICT(image, probabilities, scratch);
        failed = fwrite(probabilities, sizeof probabilities, 1, out) != 1;
    }
    if (in != NULL)
        fclose(in);
    return out == NULL || fclose(out) != 0 || failed;
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return answer(argv[1], argv[2]);
    for (int i = 0; i < INPUTS; i++)
        image[i] = (float)(i * 7919 % 256) / 255.0f;
    const int count = (int)(SECONDS / measure(3)) + 1;
    for (int sample = 0; sample < SAMPLES; sample++)
        printf("%.9g\n", measure(count));
    return 0;
}
