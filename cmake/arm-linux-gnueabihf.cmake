# Toolchain file for 32-bit Arm, with Debian's cross compiler: cmake --toolchain cmake/arm-linux-gnueabihf.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)
# With fused multiply-adds in hardware: without, the library's are a hundred times as slow, and the same bits.
set(CMAKE_C_FLAGS_INIT -mfpu=vfpv4)
