"""Every patch feature: its name and what it says. Lengths are physical, so mpp does not matter.

"Density" of a stain is optical density (log10); "log density" of nuclei is
log(1 + n per mm2 / 100).
"""

_STAINS = {"h": "haematoxylin", "e": "eosin"}
_SCALES = {
    "l": "lightness (L of Lab)",
    "a": "green to red (a of Lab)",
    "b": "blue to yellow (b of Lab)",
    "saturation": "saturation of colour",
}
_MOMENTS = {
    "mean": "mean",
    "std": "standard deviation",
    **{f"p{p:02d}": f"{p}th percentile" for p in (10, 50, 90)},
}

_COLOUR = {
    **{
        f"{k}_{s}": f"{t} of {v} density"
        for k, v in _STAINS.items()
        for s, t in (
            ("mean", "mean"),
            ("std", "standard deviation"),
            *((f"p{p:02d}", f"{p}th percentile") for p in (5, 25, 50, 75, 95)),
        )
    },
    **{f"{k}_tissue": f"mean {v} density where it is not white" for k, v in _STAINS.items()},
    "he_correlation": "correlation of the two densities over pixels",
    **{
        f"{c}_{s}": f"{_MOMENTS[s]} of {words}, 0-1"
        for c, words in _SCALES.items()
        for s in ("mean", "std")
    },
    "white_fraction": "glass, lumen, fat: share of pixels with grey above 205",
    "hole_fraction": "root of the share of white left by an opening of 8 um: fat and ducts",
    "blood_fraction": "root of the share coloured as red blood cells",
    "pink_fraction": "share with eosin and hardly any haematoxylin: collagen, muscle",
    "dark_fraction": "root of the share of dense haematoxylin",
}

_TEXTURE_OF_STAIN = {
    **{
        f"band{i}": f"root of the std of detail of {um} um"
        for i, um in enumerate((0.8, 1.6, 3.2, 6.4))
    },
    "band4": "root of the std of what is left at 12.8 um and above",
    "glcm_contrast": "log(1 + contrast) of co-occurrence at 2 um, all angles pooled",
    "glcm_homogeneity": "homogeneity of co-occurrence at 2 um: how even it is",
    "glcm_energy": "energy of co-occurrence at 2 um: how few levels it has",
    "glcm_correlation": "correlation of pixels 2 um apart",
    "gradient": "log of the mean squared gradient",
    "coherence_mean": "mean local agreement of gradient directions (structure tensor, 6 um)",
    "coherence_std": "standard deviation of this agreement over the patch",
    "anisotropy": "agreement of gradient directions over the whole patch",
}

_TEXTURE = {
    **{f"{k}_{n}": f"{v}: {t}" for k, v in _STAINS.items() for n, t in _TEXTURE_OF_STAIN.items()},
    **{f"he_band{i}": f"correlation of the stains over pixels in band {i}" for i in range(5)},
    **{
        f"h_lbp{i}": f"root of the share of local binary pattern {i} at 4 um"
        + (" (not uniform)" if i == 9 else " (neighbours above the middle, in one run)")
        for i in range(10)
    },
}

_CELLS = {
    "nuclei_density": "log density of nuclei",
    "nuclei_area_fraction": "share of pixels in nuclei",
    "nuclei_tissue_fraction": "share of pixels that are not white in nuclei",
    **{f"nuclei_area_{s}": f"{words} of nuclei's log area in um2" for s, words in _MOMENTS.items()},
    **{
        f"nuclei_elongation_{s}": f"{_MOMENTS[s]} of nuclei's log elongation"
        for s in ("mean", "std", "p90")
    },
    "lymphoid_fraction": "share of nuclei that are small, round and dense (lymphocyte-like)",
    "lymphoid_density": "log density of lymphocyte-like nuclei (small, round and dense)",
    "large_fraction": "share of nuclei above 80 um2 (tumour-like)",
    "large_density": "log density of nuclei above 80 um2 (tumour-like)",
    "long_fraction": "share of nuclei with elongation above 2.2 (fibroblast-like)",
    "long_density": "log density of nuclei with elongation above 2.2 (fibroblast-like)",
    "neighbour_mean": "log of the mean distance in um to the nearest other nucleus",
    "neighbour_std": "log(1 + std) of the distance to the nearest other nucleus",
    "regularity": "mean distance to the nearest nucleus over that of random places"
    " (Clark and Evans 1954)",
    "nuclei_h_mean": "mean over nuclei of haematoxylin density",
    "nuclei_h_std": "standard deviation over nuclei of haematoxylin density",
    "nuclei_h_texture": "mean over nuclei of the std of haematoxylin density inside",
    "nuclei_e": "eosin density inside nuclei",
    "cytoplasm_h": "haematoxylin density within 2.5 um of nuclei",
    "cytoplasm_e": "eosin density within 2.5 um of nuclei",
    "nuclei_h_contrast": "haematoxylin of nuclei minus that around them",
    "stroma_e": "eosin density of tissue away from nuclei",
}

_CENTRE_MAPS = {
    "h": "mean haematoxylin density",
    "e": "mean eosin density",
    "saturation": "mean saturation of colour",
    "white": "share of white",
    "nuclear": "share of pixels in nuclei",
    "blood": "share coloured as red blood cells",
}
_CENTRE = {
    **{
        f"centre_{m}": f"{words} in a central disc of half the side"
        for m, words in _CENTRE_MAPS.items()
    },
    "centre_density": "log density of nuclei in a central disc of half the side",
    "centre_area": "mean log area in um2 of nuclei in a central disc of half the side",
}

FEATURES: dict[str, str] = {**_COLOUR, **_TEXTURE, **_CELLS, **_CENTRE}
