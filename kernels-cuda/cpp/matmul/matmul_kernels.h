// What the matrix product asks of each instruction set.
#pragma once

#include <cstdint>

namespace metastate {

/// c[i, j] = sum over p of a[i, p] b[p, j]. Of a and b either stride is 1; c's columns are adjacent.
struct ProductOperands {
  int64_t rows, columns, depth;
  const float* a;
  int64_t aRow, aColumn;  ///< strides in floats
  const float* b;
  int64_t bRow, bColumn;
  float* c;
  int64_t cRow;
};

/// What is done to each element of a product: c = activation(c + bias[j]).
enum class Activation : int { none = 0, relu = 1, relu6 = 2, elu = 3, leakyRelu = 4, sigmoid = 5 };

/// Rows of a as the inner loops read them: packed in panels of tileRows rows, or where they lie.
struct RowPanels {
  const float* values;
  int64_t panel, row, step;  ///< strides in floats: from panel to panel, from row to row in one, and along the depth
};

/// Packed operands are slots of 32 bits: a float, or two values of bfloat16 that follow each other along the depth.
struct MatMulKernels {
  int64_t slotDepth;              ///< values in a slot: 1, or 2 of bfloat16
  int64_t tileRows, tileColumns;  ///< of the part of c that is kept in registers
  /// A `count` x `depth` part of an operand as panels of tileRows (a) or tileColumns (b), each column of a panel adjacent and
  /// what is missing from the last one, or from the last slot, 0. `stride` leads from row to row, `step` along the depth.
  /// Rows of bfloat16 that are adjacent along the depth stay rows.
  void (*packRows)(const float* from, int64_t stride, int64_t step, int64_t count, int64_t depth, float* to);
  /// How the inner loops read what packRows has made of rows with that step.
  RowPanels (*packedRows)(const float* packed, int64_t step, int64_t slots);
  void (*packColumns)(const float* from, int64_t stride, int64_t step, int64_t count, int64_t depth, float* to);
  /// c of a and packed b, so many slots deep; `add` to what c holds, or replace it.
  void (*packedProduct)(int64_t rows, int64_t columns, int64_t slots, const RowPanels& a, const float* b, float* c,
                        int64_t cRow, bool add);
  /// The product where a has one row: no packing, b is read once, floats always.
  void (*rowProduct)(const ProductOperands&);
  /// Runs `iterations` rounds of independent multiply-adds; returns floating point operations done. `sink` takes a result, so
  /// that no compiler removes the loop.
  double (*multiplyAddLoop)(int64_t iterations, float* sink);
};

}  // namespace metastate
