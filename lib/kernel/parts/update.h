/* Optimizers: one step on a run of parameters. A part of template.h. */
/* The gradient as the rule sees it: clipped, with decay. */
#define GRADIENT (__builtin_fmaf(u->decay, w[i], g[i] * u->gradient_scale))
#define EACH     for (size_t i = 0; i < count; i++)

static void update(const struct ink__update *u, float *w, const float *g, float *s1, float *s2, size_t count)
{
    const float rate = u->rate, beta1 = u->beta1, beta2 = u->beta2;
    const float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
    switch (u->rule) {
    case INK__SGD:
        EACH w[i] = __builtin_fmaf(-rate, GRADIENT, w[i]);
        break;
    case INK__MOMENTUM:
        EACH
        {
            s1[i] = ink__faded(__builtin_fmaf(beta1, s1[i], GRADIENT));
            w[i] = __builtin_fmaf(-rate, s1[i], w[i]);
        }
        break;
    case INK__NESTEROV:
        EACH
        {
            const float d = GRADIENT;
            s1[i] = ink__faded(__builtin_fmaf(beta1, s1[i], d));
            w[i] = __builtin_fmaf(-rate, __builtin_fmaf(beta1, s1[i], d), w[i]);
        }
        break;
    case INK__ADAGRAD:
        EACH
        {
            const float d = GRADIENT;
            s1[i] = __builtin_fmaf(d, d, s1[i]);
            w[i] = __builtin_fmaf(-rate, d / (__builtin_sqrtf(s1[i]) + u->epsilon), w[i]);
        }
        break;
    case INK__RMSPROP:
        EACH
        {
            const float d = GRADIENT;
            s1[i] = ink__faded(__builtin_fmaf(beta2, s1[i], rest2 * d * d));
            w[i] = __builtin_fmaf(-rate, d / (__builtin_sqrtf(s1[i]) + u->epsilon), w[i]);
        }
        break;
    case INK__ADAM:
        EACH
        {
            const float d = GRADIENT;
            s1[i] = ink__faded(__builtin_fmaf(beta1, s1[i], rest1 * d));
            s2[i] = ink__faded(__builtin_fmaf(beta2, s2[i], rest2 * d * d));
            const float root = __builtin_sqrtf(s2[i] * u->correction2) + u->epsilon;
            w[i] = __builtin_fmaf(-rate * u->correction1, s1[i] / root, __builtin_fmaf(-u->shrink, w[i], w[i]));
        }
        break;
    }
}

static void average(float *mean, const float *w, float weight, size_t count)
{
    EACH mean[i] = __builtin_fmaf(weight, w[i] - mean[i], mean[i]);
}
