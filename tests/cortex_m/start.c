/* How a Cortex-M that QEMU plays begins: with the top of the memory for a stack, its floating-point unit switched on,
 * and then as the C library does. */
#include <stdint.h>

extern void _start(void);
extern char stack_top[];

static void stopped(void)
{
    for (;;)
        ;
}

static void reset(void)
{
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: full access to CP10 and CP11 */
    __asm__ volatile("dsb\n isb");
    _start();
}

static const struct {
    char *stack;
    void (*handler[15])(void);
} vectors __attribute__((section(".vectors"), used)) = {
    stack_top,
    {reset, stopped, stopped, stopped, stopped, stopped},
};
