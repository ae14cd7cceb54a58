// Axes of the charts: pixels to values and back, round ticks, and numbers as the page writes them.
const axes = (() => {
  const read = text => {
    const [low, high, start, end] = text.split(" ").map(Number);
    return { low, high, start, end, log: text.endsWith("log") };
  };

  const share = (axis, value) => axis.log
    ? Math.log(Math.max(value, 1e-300) / axis.low) / Math.log(axis.high / axis.low)
    : (value - axis.low) / (axis.high - axis.low);
  const toPixel = (axis, value) => axis.start + share(axis, value) * (axis.end - axis.start);
  const toValue = (axis, pixel) => {
    const part = (pixel - axis.start) / (axis.end - axis.start);
    return axis.log ? axis.low * (axis.high / axis.low) ** part : axis.low + part * (axis.high - axis.low);
  };

  const roundTicks = (low, high, count = 4) => {
    const rough = (high - low) / count, scale = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map(factor => factor * scale).find(size => size >= rough * 0.999);
    const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  };
  const powers = (low, high) => {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) found.push(10 ** power, 3 * 10 ** power);
    return found.filter(value => low <= value && value <= high);
  };
  const ticks = (axis, low, high) => {
    const found = axis.log ? powers(low, high) : [];
    return found.length >= 2 ? found : roundTicks(low, high);
  };

  const number = value => Math.abs(value) >= 10000 ? `${+(value / 1000).toPrecision(6)}k` : `${+value.toPrecision(4)}`.replace("-", "\u2212");
  return { read, toPixel, toValue, ticks, number };
})();
