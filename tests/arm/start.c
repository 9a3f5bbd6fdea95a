/* How a Cortex-M4 begins: its vectors, and the floating-point unit switched on before newlib's own start. */
#include <stdint.h>

extern void _start(void);

static void reset(void)
{
    volatile uint32_t *const coprocessor_access = (volatile uint32_t *)0xe000ed88u;
    *coprocessor_access |= 0xfu << 20;
    __asm volatile("dsb\n isb");
    _start();
}

static void fault(void)
{
    for (;;)
        ;
}

/* The first words of memory: the stack's top, then where to go on reset and on the faults. */
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t stack;
    void (*handlers[6])(void);
} vectors = { 0x20400000u, { reset, fault, fault, fault, fault, fault } };
