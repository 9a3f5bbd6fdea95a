# What makes a bug harder to exploit and costs nothing that can be measured. Fortified calls need an optimised build, and
# the sanitizers, which check more, do not want them.
include(CheckPIESupported)
check_pie_supported()

function(ink_harden target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>
                         -fstack-protector-strong)
  target_link_options(${target} PRIVATE LINKER:-z,relro LINKER:-z,now)
endfunction()

# The kernels keep their accumulators in arrays, which live in registers unless a guard has to look at them.
file(GLOB INK_KERNEL_SOURCES lib/kernel/*.c)
set_property(SOURCE ${INK_KERNEL_SOURCES} APPEND PROPERTY COMPILE_OPTIONS -fno-stack-protector)
