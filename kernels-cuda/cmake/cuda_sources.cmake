# The sources of both CUDA addons: device code, what launches it, and the border to JavaScript.
file(GLOB_RECURSE CUDA_DEVICE_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda/*.cu)
file(GLOB_RECURSE CUDA_HOST_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda/*.cpp)
list(FILTER CUDA_HOST_SOURCES EXCLUDE REGEX "/cuda/emulator/")
