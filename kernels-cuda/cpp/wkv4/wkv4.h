// Included by hot_code.h only, in an unnamed namespace.
//
// Wkv4 with a register of channels side by side. Of two factors e^(x - max) one is always 1: a single exponential a ratio.
//
// Backwards, with p_t = max(p_{t-1} + w, k_t), kept = e^(p_{t-1} + w - p_t), added = e^(k_t - p_t) and adjoints da, db, dp
// of the state:
//
//   dfaded = kept (da a_{t-1} + db b_{t-1})    dkey = added (da v_t + db)    dp - dfaded - dkey goes to the larger of the two
//
// and through y, in which the largest exponent cancels: with n, d its numerator and denominator under e^(-max), dn = dy / d,
// dd = -dy y / d.

/// e^(x - max) and e^(y - max) of a pair, whose difference x - y is given.
inline void relativeExponentials(Vector difference, Vector& ofX, Vector& ofY) {
  const Vector small = exponential(-absolute(difference));
  const IntVector xLarger = difference > broadcast(0);
  ofX = select(xLarger, broadcast(1), small);
  ofY = select(xLarger, small, broadcast(1));
}

/// Moves the state over one token.
inline void wkv4Advance(Vector w, Vector key, Vector value, Vector& a, Vector& b, Vector& p, Vector& kept,
                        Vector& added) {
  const Vector faded = p + w;
  relativeExponentials(faded - key, kept, added);
  a = kept * a + added * value;
  b = kept * b + added;
  p = larger(faded, key);
}

void wkv4Forward(const Wkv4& o, int64_t from, int64_t to, float* y, float* lastA, float* lastB, float* lastP) {
  for (int64_t row = 0; row < o.batch; ++row) {
    eachVector(to - from, [&](int64_t i, auto at) {
      const int64_t c = from + i, state = row * o.width + c;
      const Vector w = at.load(o.w + c), u = at.load(o.u + c);
      Vector a = at.load(o.numerator + state), b = at.load(o.denominator + state), p = at.load(o.exponent + state);
      for (int64_t t = 0; t < o.time; ++t) {
        const int64_t place = (row * o.time + t) * o.width + c;
        const Vector key = at.load(o.k + place), value = at.load(o.v + place);
        Vector old, fresh, kept, added;
        relativeExponentials(p - (key + u), old, fresh);
        at.store(y + place, (old * a + fresh * value) / (old * b + fresh));
        wkv4Advance(w, key, value, a, b, p, kept, added);
      }
      at.store(lastA + state, a);
      at.store(lastB + state, b);
      at.store(lastP + state, p);
    });
  }
}

int64_t wkv4Scratch(int64_t time) { return 3 * time * lanes; }

void wkv4Backward(const Wkv4& o, const Wkv4Grad& g, int64_t from, int64_t to, float* states) {
  eachVector(to - from, [&](int64_t i, auto at) {
    const int64_t c = from + i;
    // In lanes that are not there all is 0, and a ratio 0 / 0 stays in its lane.
    const Vector w = at.load(o.w + c), u = at.load(o.u + c);
    Vector dw = broadcast(0), du = dw;
    for (int64_t row = 0; row < o.batch; ++row) {
      const int64_t state = row * o.width + c;
      Vector a = at.load(o.numerator + state), b = at.load(o.denominator + state), p = at.load(o.exponent + state);
      Vector kept, added;
      for (int64_t t = 0; t < o.time; ++t) {
        const int64_t place = (row * o.time + t) * o.width + c;
        float* kept3 = states + 3 * t * lanes;
        store(kept3, a);
        store(kept3 + lanes, b);
        store(kept3 + 2 * lanes, p);
        wkv4Advance(w, at.load(o.k + place), at.load(o.v + place), a, b, p, kept, added);
      }
      Vector da = at.load(g.dNumerator + state), db = at.load(g.dDenominator + state);
      Vector dp = at.load(g.dExponent + state);
      for (int64_t t = o.time - 1; t >= 0; --t) {
        const int64_t place = (row * o.time + t) * o.width + c;
        const float* before = states + 3 * t * lanes;
        a = load(before);
        b = load(before + lanes);
        p = load(before + 2 * lanes);
        const Vector key = at.load(o.k + place), value = at.load(o.v + place), faded = p + w;
        relativeExponentials(faded - key, kept, added);
        Vector dfaded = kept * (da * a + db * b), dkey = added * (da * value + db);
        const Vector rest = dp - dfaded - dkey;
        const IntVector keyLarger = key > faded;
        dfaded += select(keyLarger, broadcast(0), rest);
        dkey += select(keyLarger, rest, broadcast(0));

        Vector old, fresh;
        relativeExponentials(p - (key + u), old, fresh);
        const Vector denominator = old * b + fresh, dn = at.load(g.dy + place) / denominator;
        const Vector dd = -dn * (old * a + fresh * value) / denominator, dnow = fresh * (dn * value + dd);
        dw += dfaded;
        du += dnow;
        at.store(g.dk + place, dkey + dnow);
        at.store(g.dv + place, da * added + dn * fresh);
        dp = dfaded + old * (dn * a + dd * b);
        da = da * kept + dn * old;
        db = db * kept + dd * old;
      }
      at.store(g.dnumerator + state, da);
      at.store(g.ddenominator + state, db);
      at.store(g.dexponent + state, dp);
    }
    at.store(g.dw + c, dw);
    at.store(g.du + c, du);
  });
}
