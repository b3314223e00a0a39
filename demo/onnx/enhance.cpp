// Super-resolve an image with an exported model: ONNX Runtime alone.
//
//   c++ -std=c++17 enhance.cpp -I$ORT/include -L$ORT/lib -lonnxruntime
//   ./a.out dsrnet_x_nano.onnx frame.ppm result.ppm next_frame.ppm
//
// Images are binary PPM (P6, 8 bits), so that nothing else is needed. The
// last file is a reference, at full size; the model "...-alone.onnx" takes
// none.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Image {
  int64_t width = 0, height = 0;
  std::vector<float> planes;  // RGB one after the other, in [0, 1]
};

Image read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string kind;
  Image image;
  int most = 0;
  file >> kind >> image.width >> image.height >> most;
  file.get();
  const bool usable = file && kind == "P6" && most == 255 &&
                      image.width > 0 && image.height > 0 &&
                      image.width <= 65536 && image.height <= 65536;
  if (!usable) throw std::runtime_error(path + " is no binary 8-bit PPM");
  const size_t size = static_cast<size_t>(image.width * image.height);
  std::vector<unsigned char> bytes(3 * size);
  file.read(reinterpret_cast<char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  if (!file) throw std::runtime_error(path + " is cut short");
  image.planes.resize(3 * size);
  for (size_t i = 0; i < bytes.size(); ++i)
    image.planes[i % 3 * size + i / 3] = static_cast<float>(bytes[i]) / 255;
  return image;
}

void write(const std::string& path, const float* planes, int64_t width,
           int64_t height) {
  const size_t size = static_cast<size_t>(width * height);
  std::vector<unsigned char> bytes(3 * size);
  for (size_t i = 0; i < bytes.size(); ++i) {
    // The result is not clamped.
    const float value = std::clamp(planes[i % 3 * size + i / 3], 0.f, 1.f);
    bytes[i] = static_cast<unsigned char>(std::lround(255 * value));
  }
  std::ofstream file(path, std::ios::binary);
  file << "P6\n" << width << ' ' << height << "\n255\n";
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file) throw std::runtime_error(path + " cannot be written");
}

int main(int argc, char** argv) try {
  if (argc != 4 && argc != 5) {
    std::fprintf(stderr, "usage: %s MODEL IN.ppm OUT.ppm [REF.ppm]\n", argv[0]);
    return 2;
  }
  Ort::Env env(ORT_LOGGING_LEVEL_WARNING, "mmdsr");
  Ort::SessionOptions options;
  Ort::Session session(env, argv[1], options);
  const size_t given = static_cast<size_t>(argc - 3);
  if (session.GetInputCount() != given)
    throw std::runtime_error(
        std::string(argv[1]) + " takes " +
        std::to_string(session.GetInputCount()) + " image(s), not " +
        std::to_string(given) + ": IN alone, or IN and REF");
  auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeCPU);

  std::vector<Ort::Value> inputs;
  Image lr = read(argv[2]);
  const std::array<int64_t, 4> shape{1, 3, lr.height, lr.width};
  inputs.push_back(Ort::Value::CreateTensor<float>(
      memory, lr.planes.data(), lr.planes.size(), shape.data(), shape.size()));
  Image ref;
  if (argc == 5) {
    ref = read(argv[4]);
    // (N, K, 3, Hr, Wr): one image, one reference.
    const std::array<int64_t, 5> sides{1, 1, 3, ref.height, ref.width};
    inputs.push_back(Ort::Value::CreateTensor<float>(
        memory, ref.planes.data(), ref.planes.size(), sides.data(),
        sides.size()));
  }
  const char* names[] = {"lr", "ref"};
  const char* results[] = {"sr", "confidence"};
  auto found = session.Run(Ort::RunOptions{nullptr}, names, inputs.data(),
                           inputs.size(), results, 2);
  write(argv[3], found[0].GetTensorData<float>(), 4 * lr.width, 4 * lr.height);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "Error: %s\n", error.what());
  return 1;
}
