"""Conan 2 recipe of meshlib, built from the checkout around it.

    conan create conan/ --build=missing
    conan create conan/ -o 'meshlib/*:system_packages=True'

The second form takes every dependency from the system (scripts/setup.sh
installs them on Debian 12) and needs no remote.
"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class MeshlibConan(ConanFile):
    name = "meshlib"
    description = "An embeddable C++ service mesh"
    license = "Apache-2.0"
    topics = ("service-mesh", "xds", "envoy", "load-balancing")
    package_type = "static-library"
    settings = "os", "compiler", "build_type", "arch"
    options = {"system_packages": [True, False], "tools": [True, False]}
    default_options = {"system_packages": False, "tools": True}

    def _checkout(self):
        return os.path.join(self.recipe_folder, os.pardir)

    def set_version(self):
        text = load(self, os.path.join(self._checkout(), "CMakeLists.txt"))
        self.version = re.search(r"project\(meshlib VERSION ([0-9.]+)",
                                 text).group(1)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*",
                        "src/*"):
            copy(self, pattern, self._checkout(), self.export_sources_folder)

    def validate(self):
        check_min_cppstd(self, 17)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        if self.options.system_packages:
            return
        # The versions that Debian 12 has, or the nearest in ConanCenter.
        self.requires("abseil/20220623.1", transitive_headers=True)
        self.requires("protobuf/3.21.12")
        self.requires("yaml-cpp/0.7.0")
        self.requires("re2/20220601")
        self.requires("xxhash/0.8.1")
        self.requires("openssl/[>=3.0 <4]")
        self.requires("libnghttp2/1.61.0")
        self.requires("c-ares/[>=1.18 <2]")
        self.requires("rapidjson/cci.20220822", visible=False)
        self.requires("boost/1.81.0", visible=False,
                      options={"header_only": True})
        if self.options.tools:
            self.requires("cli11/2.1.2", visible=False)

    def build_requirements(self):
        if not self.options.system_packages:
            self.tool_requires("protobuf/<host_version>")

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "BENCHMARKS", "EXAMPLES", "FUZZERS"):
            toolchain.cache_variables[f"MESHLIB_BUILD_{part}"] = False
        toolchain.cache_variables["MESHLIB_BUILD_TOOLS"] = bool(
            self.options.tools)
        toolchain.cache_variables["MESHLIB_INSTALL"] = True
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder,
             os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        # The package brings its own CMake configuration; it finds what it
        # depends on, from Conan or from the system.
        self.cpp_info.libs = ["meshlib_core"]
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.set_property("pkg_config_name", "none")
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "meshlib")]
