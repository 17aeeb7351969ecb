// The same for C++, which has the functions without their macros: see compilers.sh.
#include <wengert.h>

int main()
{
    wg_tape_options options = {};
    wg_tape *tape = wg_tape_new(options);
    wg_tensor x = wg_full(tape, WG_FLOAT64, WG_SHAPE(2, 3), 1.5);
    wg_sum_options over = {};
    over.axis = WG_AXES(1);
    wg_tensor y = wg_sum(wg_multiply(wg_tanh(x), wg_number(2)), over);
    bool failed = wg_failed(tape) || wg_is_none(y);
    wg_tape_free(tape);
    return failed;
}
