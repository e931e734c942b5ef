"""Which of three growers made the wine?"""
