#!/bin/sh
# Exported C on a microcontroller: a network's scores, and its gradient, cross-compiled for a Cortex-M4 and run by QEMU, where
# they pass their own tests. Needs Debian's gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm; 77: skipped.
set -eu
start=$(realpath "$1")
memory=$(realpath "$2")
wengert=$(realpath "$3")
for tool in arm-none-eabi-gcc qemu-system-arm; do
    command -v $tool >/dev/null || { echo "$tool is not there: skipped"; exit 77; }
done
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
"$wengert" train --epochs 2 --layers 2,16,16,2 --checkpoint net.safetensors --boundary b.svg --color never >/dev/null
"$wengert" export net.safetensors -o scores.c
"$wengert" export net.safetensors -o slope.c --gradient --batch 8
for name in scores slope; do
    arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -std=c99 -O2 -Wall -Wextra -Wconversion \
        -pedantic -Werror "-D$(echo $name | tr a-z A-Z)_TEST" ${WENGERT_ARM_FLAGS-} $name.c "$start" \
        --specs=${WENGERT_ARM_SPECS-rdimon.specs} -T "$memory" -lm -o $name.elf
    timeout 60 qemu-system-arm ${WENGERT_QEMU_FLAGS-} -M mps2-an386 -nographic -semihosting -kernel $name.elf </dev/null >said
    cat said
    grep -q '^passed' said
done
