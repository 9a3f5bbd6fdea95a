/* What the processor can run and how much of the machine is ours. */
#ifndef INK_BASE_CPU_H
#define INK_BASE_CPU_H

#include <stdbool.h>

/* Both the processor's word (CPUID) and the operating system's (XGETBV) that the registers are saved. */
bool ink__cpu_has_avx2_fma(void);
bool ink__cpu_has_avx512(void); /* F, DQ, BW and VL */
bool ink__cpu_has_avx512_vnni(void);
bool ink__cpu_has_neon(void);

#endif
