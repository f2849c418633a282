// RWKV-7's recurrence as an operator of PyTorch, as one would write it in C++ for the CPU: heads shared out by PyTorch's own
// threads, loops that the compiler vectorises, a state kept every sixteen steps for the gradient. What the library's kernels
// are measured against; it shares no code with them.
//
//   S_t = S_{t-1} diag(w_t) + (S_{t-1} a_t) b_t^T + v_t k_t^T        y_t = S_t r_t

#include <ATen/Parallel.h>
#include <torch/extension.h>

#include <vector>

namespace {

constexpr int64_t interval = 16;

struct Sizes {
  int64_t B, T, H, N, chunks;
  explicit Sizes(const torch::Tensor& r)
      : B(r.size(0)), T(r.size(1)), H(r.size(2)), N(r.size(3)), chunks((T + interval - 1) / interval) {}
  int64_t at(int64_t head, int64_t t) const { return ((head / H * T + t) * H + head % H) * N; }
};

struct Rows {
  const float *r, *w, *k, *v, *a, *b;
};

void step(float* S, float* sa, const Rows& x, int64_t at, int64_t N) {
  for (int64_t i = 0; i < N; ++i) {
    float sum = 0;
    for (int64_t j = 0; j < N; ++j) sum += S[i * N + j] * x.a[at + j];
    sa[i] = sum;
    const float value = x.v[at + i];
    for (int64_t j = 0; j < N; ++j) S[i * N + j] = S[i * N + j] * x.w[at + j] + sum * x.b[at + j] + value * x.k[at + j];
  }
}

std::vector<torch::Tensor> forward(torch::Tensor r, torch::Tensor w, torch::Tensor k, torch::Tensor v, torch::Tensor a,
                                   torch::Tensor b, torch::Tensor state) {
  const Sizes z(r);
  auto y = torch::empty_like(r), last = state.clone();
  auto kept = torch::empty({z.B, z.H, z.chunks, z.N, z.N}, r.options());
  const Rows x{r.data_ptr<float>(), w.data_ptr<float>(), k.data_ptr<float>(),
               v.data_ptr<float>(), a.data_ptr<float>(), b.data_ptr<float>()};
  float *out = y.data_ptr<float>(), *S0 = last.data_ptr<float>(), *points = kept.data_ptr<float>();
  at::parallel_for(0, z.B * z.H, 1, [&](int64_t from, int64_t to) {
    std::vector<float> sa(z.N);
    for (int64_t head = from; head < to; ++head) {
      float* S = S0 + head * z.N * z.N;
      for (int64_t t = 0; t < z.T; ++t) {
        if (t % interval == 0) std::copy(S, S + z.N * z.N, points + (head * z.chunks + t / interval) * z.N * z.N);
        const int64_t at = z.at(head, t);
        step(S, sa.data(), x, at, z.N);
        for (int64_t i = 0; i < z.N; ++i) {
          float sum = 0;
          for (int64_t j = 0; j < z.N; ++j) sum += S[i * z.N + j] * x.r[at + j];
          out[at + i] = sum;
        }
      }
    }
  });
  return {y, last, kept};
}

std::vector<torch::Tensor> backward(torch::Tensor r, torch::Tensor w, torch::Tensor k, torch::Tensor v, torch::Tensor a,
                                    torch::Tensor b, torch::Tensor kept, torch::Tensor dy, torch::Tensor dlast) {
  const Sizes z(r);
  const int64_t N = z.N;
  std::vector<torch::Tensor> d;
  for (int i = 0; i < 6; ++i) d.push_back(torch::zeros_like(r));
  auto dstate = dlast.clone();
  const Rows x{r.data_ptr<float>(), w.data_ptr<float>(), k.data_ptr<float>(),
               v.data_ptr<float>(), a.data_ptr<float>(), b.data_ptr<float>()};
  const float *adjoint = dy.data_ptr<float>(), *points = kept.data_ptr<float>();
  float *dr = d[0].data_ptr<float>(), *dw = d[1].data_ptr<float>(), *dk = d[2].data_ptr<float>();
  float *dv = d[3].data_ptr<float>(), *da = d[4].data_ptr<float>(), *db = d[5].data_ptr<float>();
  float* G0 = dstate.data_ptr<float>();
  at::parallel_for(0, z.B * z.H, 1, [&](int64_t from, int64_t to) {
    std::vector<float> states((interval + 1) * N * N), sas(interval * N);
    for (int64_t head = from; head < to; ++head) {
      float* G = G0 + head * N * N;
      for (int64_t chunk = z.chunks - 1; chunk >= 0; --chunk) {
        const int64_t first = chunk * interval, steps = std::min(interval, z.T - first);
        const float* point = points + (head * z.chunks + chunk) * N * N;
        std::copy(point, point + N * N, states.begin());
        for (int64_t s = 0; s < steps; ++s) {
          std::copy_n(states.begin() + s * N * N, N * N, states.begin() + (s + 1) * N * N);
          step(&states[(s + 1) * N * N], &sas[s * N], x, z.at(head, first + s), N);
        }
        for (int64_t s = steps - 1; s >= 0; --s) {
          const int64_t at = z.at(head, first + s);
          const float *before = &states[s * N * N], *after = &states[(s + 1) * N * N], *sa = &sas[s * N];
          for (int64_t i = 0; i < N; ++i) {
            float* g = G + i * N;
            const float y = adjoint[at + i], value = x.v[at + i], removed = sa[i];
            float toValue = 0, toRemoved = 0;
            for (int64_t j = 0; j < N; ++j) {
              g[j] += y * x.r[at + j];
              toValue += g[j] * x.k[at + j];
              toRemoved += g[j] * x.b[at + j];
            }
            dv[at + i] = toValue;
            for (int64_t j = 0; j < N; ++j) {
              dr[at + j] += after[i * N + j] * y;
              dw[at + j] += g[j] * before[i * N + j];
              dk[at + j] += g[j] * value;
              db[at + j] += g[j] * removed;
              da[at + j] += before[i * N + j] * toRemoved;
              g[j] = g[j] * x.w[at + j] + toRemoved * x.a[at + j];
            }
          }
        }
      }
    }
  });
  d.push_back(dstate);
  return d;
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("forward", &forward);
  m.def("backward", &backward);
}
