/* Which optional parts this build has. */
#include "inkling.h"

const struct ink_feature *ink_features(void)
{
    static const struct ink_feature features[] = {
#ifdef INK_SHA256
        { "sha256", true },
#else
        { "sha256", false },
#endif
#ifdef INK_ONNX
        { "onnx", true },
#else
        { "onnx", false },
#endif
#ifdef INK_HTML
        { "html", true },
#else
        { "html", false },
#endif
        { 0 },
    };
    return features;
}
