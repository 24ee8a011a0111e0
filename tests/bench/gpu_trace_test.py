#!/usr/bin/env python3
"""Tests of gpu_trace.py: `python3 tests/bench/gpu_trace_test.py`."""
import unittest

import gpu_trace

NAMES = {
    'attention': [
        'void pytorch_flash::flash_fwd_kernel<pytorch_flash::Flash_fwd_kernel_traits<64, 128, 128, 4, cutlass::bfloat16_t>>(Flash_fwd_params)',
        'fmha_cutlassB_bf16_aligned_64x64_k64_dropout_sm80(PyTorchMemEffAttention::AttentionBackwardKernel<cutlass::arch::Sm80>::Params)',
        'cudnn_generated_fort_native_sdpa_sm90_flash_bprop_wgmma_f16_knob_7_64x64x128',
    ],
    'matrix products': [
        'nvjet_tst_128x256_64x4_1x2_h_bz_coopA_NNT',
        'sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_warpgroupsize1x1x1_execute_segment_k_off_kernel__5x_cublas',
        'void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_64x64_64x6_tn_align8>(Params)',
        'ampere_sgemm_128x64_tn',
        'void cublasLt::splitKreduce_kernel<32, 16, int, float, __nv_bfloat16, float, __nv_bfloat16, true, false, false>(Params)',
    ],
    'optimiser': ['void at::native::(anonymous namespace)::multi_tensor_apply_kernel<Metadata, at::native::FusedAdamMathFunctor<float, 4>, float>(Metadata)'],
    'softmax and loss': [
        'void at::native::(anonymous namespace)::cunn_SoftMaxForward<4, float, float, float, LogSoftMaxForwardEpilogue>(float*)',
        'void at::native::(anonymous namespace)::nll_loss_forward_reduce_cuda_kernel_2d<float, float, long>(float*)',
    ],
    'norms of layers': [
        'void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float, float>(int, float)',
        'void at::native::(anonymous namespace)::GammaBetaBackwardCUDAKernelTemplate<float, float, 64, 1, 32>(long)',
    ],
    'embeddings, indices': ['void at::native::(anonymous namespace)::embedding_backward_feature_kernel<float, float, long>(long const*)'],
    'copies, casts, fills': [
        'void at::native::unrolled_elementwise_kernel<at::native::direct_copy_kernel_cuda(at::TensorIteratorBase&)::{lambda()#3}>(int)',
        'void at::native::vectorized_elementwise_kernel<4, at::native::bfloat16_copy_kernel_cuda(at::TensorIteratorBase&)::{lambda(float)#1}>(int)',
        'void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>, std::array<char*, 1ul>>(int)',
        'Memcpy HtoD (Pinned -> Device)',
        'Memset (Device)',
    ],
    'reductions': ['void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::NormTwoOps<float, float, float>>>(ReduceOp)'],
    'element-wise': [
        'void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, std::array<char*, 3ul>>(int)',
        'void at::native::(anonymous namespace)::fused_dropout_kernel_vec<float, float, unsigned int, 1, 4, bool>(TensorInfo)',
    ],
    'other': ['void somebodys_own(float*)'],
}


def event(cat, name, ts, dur, **others):
    return dict(ph='X', cat=cat, name=name, ts=ts, dur=dur, **others)


class Trace(unittest.TestCase):
    def test_every_name_is_of_its_class(self):
        for expected, names in NAMES.items():
            for name in names:
                self.assertEqual(gpu_trace.kind(name), expected, name)

    def test_time_is_busy_once_where_streams_overlap(self):
        events = [event('kernel', 'a', *times) for times in ((10.0, 5.0), (0.0, 4.0), (2.0, 6.0), (3.0, 1.0))]
        self.assertEqual(gpu_trace.busy(events), 8.0 + 5.0)

    def test_a_report_counts_what_the_device_did(self):
        short = 'nvjet_' + 'n' * 200
        long = 'void at::native::(anonymous namespace)::' + short
        trace = {'traceEvents': [
            {'ph': 'M', 'name': 'process_name', 'pid': 0, 'args': {'name': 'mmc-worker'}},
            event('cpu_op', 'aten::mm', 0.0, 9000.0),
            event('cuda_runtime', 'cudaLaunchKernel', 10.0, 5.0),
            event('cuda_runtime', 'cudaStreamSynchronize', 20.0, 5.0),
            event('kernel', long, 1000.0, 2000.0, args={'stream': 7}),
            event('kernel', long, 4000.0, 500.0, args={'stream': 7}),
            event('gpu_memcpy', 'Memcpy DtoH (Device -> Pageable)', 4500.0, 500.0),
        ]}
        lines = list(gpu_trace.report(trace))
        self.assertEqual(lines[0], 'device: 3 events in 4.00 ms, busy for 3.00 ms (75.0 %)')
        self.assertEqual(lines[1], 'host: 1 operations, 2 calls of the CUDA runtime, of them 1 launches')
        self.assertEqual([line.split() for line in lines[3:5]], [
            ['matrix', 'products', '2.500', '83.3', '%', '2'],
            ['copies,', 'casts,', 'fills', '0.500', '16.7', '%', '1'],
        ])
        self.assertEqual(lines[6].split(), ['2.500', '2', short[:110]])

    def test_a_trace_without_a_device_is_refused(self):
        with self.assertRaises(ValueError):
            list(gpu_trace.report({'traceEvents': [event('cpu_op', 'aten::mm', 0.0, 1.0)]}))


if __name__ == '__main__':
    unittest.main()
