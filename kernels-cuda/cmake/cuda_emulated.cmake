# The CUDA sources as plain C++, with threads as fibers (cuda/emulator): what tests run where there is no GPU.
include(cmake/cuda_sources.cmake)
file(GLOB CUDA_EMULATOR_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda/emulator/*.cpp)
add_library(metastate_cuda_emulated MODULE ${CUDA_HOST_SOURCES} ${CUDA_DEVICE_SOURCES} ${CUDA_EMULATOR_SOURCES})
set(DEVICE_OPTIONS -x c++)
if(METASTATE_SANITIZE STREQUAL "thread")
  # Of this sanitizer only what the compiler does to device code is used: cuda/emulator/races.cpp finds the GPU's races.
  set(METASTATE_SANITIZE "")
  list(APPEND DEVICE_OPTIONS -fsanitize=thread -g1)
  target_compile_definitions(metastate_cuda_emulated PRIVATE METASTATE_FINDS_RACES)
endif()
if(NOT METASTATE_SANITIZE)
  # Vectors where a GPU would not take them: cuda/emulator/alignment.cpp. UBSan tells them otherwise.
  list(APPEND DEVICE_OPTIONS -fsanitize=alignment)
  target_compile_definitions(metastate_cuda_emulated PRIVATE METASTATE_CHECKS_ALIGNMENT)
endif()
set_source_files_properties(${CUDA_DEVICE_SOURCES} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "${DEVICE_OPTIONS}")
target_include_directories(metastate_cuda_emulated PRIVATE cuda cpp)
target_compile_definitions(metastate_cuda_emulated PRIVATE METASTATE_CUDA_EMULATED)
# Small sizes, many kernels: time to compile counts as much as time to run. Unknown pragmas are #pragma unroll.
# longjmp from one stack to another is what _FORTIFY_SOURCE calls an error.
target_compile_options(metastate_cuda_emulated PRIVATE -O1 -Wno-unknown-pragmas -U_FORTIFY_SOURCE)
metastate_addon(metastate_cuda_emulated)
