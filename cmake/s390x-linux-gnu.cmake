# Toolchain file for a big-endian processor, IBM Z, with Debian's cross compiler:
# cmake --toolchain cmake/s390x-linux-gnu.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR s390x)
set(CMAKE_C_COMPILER s390x-linux-gnu-gcc)
